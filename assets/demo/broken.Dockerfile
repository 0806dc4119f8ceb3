# A build that fails, for `buildx debug`: a test looks for a file that an ignore file keeps out of the context.

FROM scratch AS system
COPY system /
ENV PATH=/bin
RUN busybox --install -s /bin

FROM system AS lint
RUN for file in 1 2 3 4 5 6 7 8; do echo "lint $file"; sleep 0.4; done

FROM system AS build
WORKDIR /src
COPY app/ .
RUN sed "s/@GREETING@/Hello/" greet.sh.in >greet && chmod +x greet
RUN for case in parse print; do echo "ok      greet/$case"; sleep 0.4; done; \
    ./greet | grep -q Bonjour || { \
    echo '--- FAIL: TestGreet (0.00s)'; \
    echo "    greet.sh:2: got $(./greet), want Bonjour" >&2; \
    exit 2; }
RUN echo installed

FROM system
COPY --from=build /src/greet /bin/greet
COPY --from=lint /src /src
