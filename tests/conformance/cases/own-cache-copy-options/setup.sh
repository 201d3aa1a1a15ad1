mkdir -p d/sub; echo $NONCE > d/a; echo $NONCE f > d/sub/f; tar -cf a.tar d
