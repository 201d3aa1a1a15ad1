mkdir -p p/d1 p/d2/sub; cd p; for i in a b c '[x]' 's p'; do echo "$i" > "$i.txt"; done; echo h > .hid; echo 1 > d1/z; echo 2 > d2/z; echo u > d1/u; echo s > d2/sub/s; ln -s a.txt lf; ln -s d1 ld; 
