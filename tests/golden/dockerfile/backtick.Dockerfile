# escape=`
FROM mcr.microsoft.com/windows/nanoserver
COPY a.txt `
     c:\dir\
ENV P=c:\a` b Q="`"x`""
RUN dir `
# c

  c:\
COPY <<E c:\e
line
E
