echo a > a; mkdir -p d/e em; echo c > d/c; echo e > d/e/e; ln -s ../a d/la; ln -s d ld
