FROM python:3.13-slim AS built
WORKDIR /srv/agentsite
COPY bootstrap.lock requirements.lock ./
RUN python -m venv /venv \
 && /venv/bin/pip install --no-cache-dir --require-hashes --requirement bootstrap.lock \
 && /venv/bin/uv pip install --no-cache --python /venv/bin/python --compile-bytecode --require-hashes --requirement requirements.lock \
 && /venv/bin/pip uninstall --yes uv pip

FROM python:3.13-slim
RUN useradd --system --create-home agentsite
WORKDIR /srv/agentsite
COPY --from=built /venv /venv
COPY manage.py ./
COPY agentsite agentsite
COPY charts charts
COPY progress progress
COPY static static
COPY templates templates
RUN mkdir var && chown agentsite var
USER agentsite
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1
EXPOSE 8000
CMD ["uvicorn", "agentsite.asgi:application", "--host", "0.0.0.0", "--port", "8000", "--timeout-graceful-shutdown", "5"]
