touch a b; printf '%s\n' '[b-a]' > .dockerignore
