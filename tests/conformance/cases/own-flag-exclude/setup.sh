mkdir -p a/b/c a/e; for f in a/x.txt a/k.md a/b/x.txt a/b/c/y.txt a/b/c/m.md; do echo $f > $f; done
