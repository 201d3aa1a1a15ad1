mkdir -p d/x; echo f > f; echo g > g; echo y > d/y; echo z > d/x/z; tar cf arch.tar --owner=3 --group=4 d
