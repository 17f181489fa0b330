# syntax=docker/dockerfile:1
# docker build --build-arg REVISION=$(git describe --tags --always --dirty) -t inspector .
# The page and the broker listen on this host only until the configuration says
# otherwise, so: docker run --network host -v inspector:/data inspector

FROM node:22-bookworm-slim AS onnxruntime
WORKDIR /src
COPY scripts/onnxruntime.sh scripts/
RUN scripts/onnxruntime.sh

FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY --from=onnxruntime /src/.cache .cache
COPY scripts/setup.sh scripts/
RUN scripts/setup.sh run && rm -rf /var/lib/apt/lists/*
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG REVISION=unknown
ENV CGO_CPPFLAGS="-I/src/camera/opencv -I/usr/include/opencv4" \
    CGO_LDFLAGS="-lopencv_core -lopencv_imgproc -lopencv_imgcodecs -lopencv_videoio"
RUN go build -trimpath -buildvcs=false -tags customenv,gocv_specific_modules,gocv_videoio \
    -ldflags="-s -w -X main.revision=$REVISION" -o /inspector ./cmd/inspector

FROM debian:bookworm-slim
RUN apt-get update -qq \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
      ca-certificates libopencv-imgcodecs406 libopencv-imgproc406 libopencv-videoio406 \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --uid 10001 --user-group --no-create-home --home-dir /data --shell /usr/sbin/nologin inspector \
 && install -d -o 10001 -g 10001 -m 0750 /data
COPY --from=onnxruntime /src/.cache/onnxruntime/libonnxruntime.so.1.24.3 /usr/local/lib/
COPY --from=build /inspector /usr/local/bin/
ENV INSPECTOR_DATA=/data \
    INSPECTOR_ONNXRUNTIME=/usr/local/lib/libonnxruntime.so.1.24.3
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8080 1883
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 CMD ["inspector", "healthcheck"]
ENTRYPOINT ["inspector"]
CMD ["run"]
