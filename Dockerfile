FROM python:3.11-slim AS build
WORKDIR /riffmarket
RUN apt-get update && apt-get install -y --no-install-recommends make && rm -rf /var/lib/apt/lists/*
COPY pyproject.toml requirements.lock Makefile README.md LICENSE ./
# Before the code, so that a change of the code does not install torch again.
RUN mkdir bot cli generation market migrations && make .venv/ready PYTHON=python3.11
COPY . .

FROM python:3.11-slim
RUN useradd --create-home riff && install -d -o riff /data
WORKDIR /riffmarket
COPY --from=build /riffmarket /riffmarket
ENV PATH=/riffmarket/.venv/bin:$PATH RIFF_DATA_DIR=/data RIFF_HOST=0.0.0.0 OMP_WAIT_POLICY=PASSIVE PYTHONUNBUFFERED=1
USER riff
VOLUME /data
EXPOSE 8000
CMD ["riff", "up"]
