mkdir -p t/empty t/a/b t/sticky t/locked
echo s > t/suid; chmod 4755 t/suid; echo g > t/sgid; chmod 2711 t/sgid; echo z > t/zero; chmod 0 t/zero
chmod 1777 t/sticky; chmod 700 t/locked; echo l > t/locked/f; mkfifo t/pipe; ln -s /etc/passwd t/abs; ln -s nowhere t/dang
chown -h 55:66 t/suid t/a t/abs; chmod 4755 t/suid; ln t/zero t/a/zero2
