mkdir -p c/d; echo f > c/d/f; ln -s d c/ld; ln -s /c/d c/abs; ln -s ../../../../c/d c/out; ln -s d/f c/lf; ln -s ld c/lld
