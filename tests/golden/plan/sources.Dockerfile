FROM debian AS tools

FROM debian
ADD --checksum=sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 https://example.com/dir/file.tgz?x=1 /opt/
ADD https://example.com/repo.git#v1:lib git@host:team/repo /src
ADD --link --exclude=*.md archive*.tar .
COPY --parents --chmod=u+x a/./b/**/c.py /code
COPY <<one plain <<'two' /etc/conf.d/
$LANG \$HOME
one
$LANG
two
RUN --mount=from=tools,source=usr,target=t,rw --mount=type=secret,id=key --mount=type=ssh true
RUN <<EOT
#!/usr/bin/python
print(1)
EOT
