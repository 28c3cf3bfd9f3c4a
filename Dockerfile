FROM python:3.12-slim

# The app keeps files for itself alone: no root needed.
RUN useradd --create-home --uid 1000 app
WORKDIR /home/app
COPY requirements.txt ./
RUN pip install --no-cache-dir -r requirements.txt "redis>=8,<9"
COPY app.py ./
COPY qwen_demo qwen_demo
RUN mkdir outputs uploads && chown app outputs uploads
USER app

ENV PYTHONUNBUFFERED=1 GRADIO_SERVER_NAME=0.0.0.0 GRADIO_SERVER_PORT=7860
VOLUME /home/app/outputs
EXPOSE 7860
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "import os, urllib.request as u; u.urlopen('http://127.0.0.1:' + os.environ['GRADIO_SERVER_PORT'] + '/healthz', timeout=4)"]
# Told to end, it brings home what was ordered: give it `docker stop --time 70`.
CMD ["python", "app.py"]
