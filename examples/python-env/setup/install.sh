#!/bin/sh
# Makes the environment /venv, from the wheels alone: no index is asked. It needs no pip of its own.
set -e
cd /setup
python3 -m venv --without-pip /venv
python3 -m pip --python /venv/bin/python install -q --no-index --find-links wheels -r requirements.txt
