# syntax=docker/dockerfile:1
from node AS Web
MAINTAINER Jo <jo@example.org>
ADD . /app
WORKDIR /app
RUN cd web && npm install && npm run build

FROM golang:1.23 as build
RUN apt-get update
RUN apt-get install git make
COPY . /src
RUN cd /src && go build -o /bin/app ./cmd/app

FROM debian:12
ENV APP_HOME /srv/app
ENV API_TOKEN=abc
RUN apt-get update \

 && apt-get install -y curl gcc
RUN curl -fsSL https://example.org/setup.sh | bash
COPY .env id_rsa /srv/app/
COPY --from=web /app/dist /srv/app/static
COPY --from=build /bin/app /srv/app/app
RUN chmod +x /srv/app/app && sudo chown -R www-data /srv/app/static
# check=skip=SshExposed
EXPOSE 22 8080/TCP
CMD /srv/app/app --port 8080
