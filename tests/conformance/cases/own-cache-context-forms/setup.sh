mkdir d; echo $NONCE a > d/a; echo $NONCE b > d/b; ln -s a d/l; ln -s d/a link
