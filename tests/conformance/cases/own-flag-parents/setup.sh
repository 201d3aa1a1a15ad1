mkdir -p a/b/c; echo f > a/b/f; echo cf > a/b/c/f; echo x > a/x; ln -s b a/l; chmod 750 a/b
