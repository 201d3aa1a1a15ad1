mkdir other; echo f > other/f; for i in a b c; do echo $i > $i; done
echo x > from-onbuild
