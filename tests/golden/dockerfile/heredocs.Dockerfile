FROM alpine
RUN <<EOF
# not a comment
echo "$HOME" \
     done

EOF
RUN <<-'PY' python3 | tee /log
	print("$x")
	PY
COPY <<config.ini <<-"raw" plain.txt \
     /etc/app/
name = ${NAME}
config.ini
	${NAME}
	raw
RUN cat 3<<A 4<<B <&3
a
A
b
B
ONBUILD RUN <<EOF
echo fired
EOF
RUN ["cat", "<<EOF"]
