{ printf 'ARG BASE\nFROM $BASE\nENV A=b \\\n# '; head -c 64000 /dev/zero | tr '\0' a; echo; echo ' C=d'; } > Long
