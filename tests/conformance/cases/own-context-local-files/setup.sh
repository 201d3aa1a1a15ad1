mkdir -p other/d/sub
echo a > other/d/f; echo x > other/d/x.log; echo y > other/d/sub/y.log; echo keep > other/keep; echo k > other/d/keep.log
ln -s f other/d/l; ln -s /keep other/abs; ln other/d/f other/d/hard
chmod 4750 other/d/f; chmod 1777 other/d/sub; chown -R 5:6 other
printf '**/*.log
!d/keep.log
' > other/.dockerignore
echo '*' > other/Dockerfile.dockerignore
echo 'd' > .dockerignore
