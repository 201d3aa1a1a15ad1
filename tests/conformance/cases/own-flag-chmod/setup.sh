mkdir -p t/s; echo f > t/f; echo x > t/s/x; chmod 755 t/s/x; chmod 700 t/s; ln -s f t/l
