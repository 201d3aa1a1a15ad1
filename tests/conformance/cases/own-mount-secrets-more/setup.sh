printf "top secret" > sec.txt; printf "line1\nline2\n" > sec2
