echo 1 > secret.txt
