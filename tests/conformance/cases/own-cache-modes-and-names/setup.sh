mkdir -p d/sub; echo a > d/a.txt; echo b > d/b; echo s > d/sub/s; ln -s a.txt d/l
[ -z "$NONCE" ] || echo $NONCE > d/nonce.txt; echo $NONCE > d/sub/nonce
