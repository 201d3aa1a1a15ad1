echo $NONCE > f
