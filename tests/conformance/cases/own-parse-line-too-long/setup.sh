{ printf 'ARG BASE\nFROM $BASE\nENV A='; head -c 66000 /dev/zero | tr '\0' a; echo; } > Long
