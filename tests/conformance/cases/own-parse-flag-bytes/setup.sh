mkdir d; echo 1 > d/ä1; echo 2 > d/b; echo 3 > ä
