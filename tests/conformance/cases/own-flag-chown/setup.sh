mkdir -p t/t; echo f > t/f; ln -s f t/l; echo g > t/t/g
