skopeo copy -q --src-tls-verify=false docker://$REGISTRY/layered:1 oci:$CASE_WORK/layout:latest
skopeo copy -q --all --src-tls-verify=false docker://$REGISTRY/multi:1 oci:$CASE_WORK/multi:latest
