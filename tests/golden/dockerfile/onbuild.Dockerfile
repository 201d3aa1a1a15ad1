FROM base AS sdk
ONBUILD ARG VERSION=1
ONBUILD COPY --from=tools [ "a b", \
  "/c" ]
onbuild  Run make \
  all
ONBUILD WHATEVER it is
