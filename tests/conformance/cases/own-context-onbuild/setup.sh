for i in a b c; do echo $i > $i; done
echo p > payload.txt
