import os

from flask import Flask, jsonify, request

from work import work

app = Flask(__name__)
rounds = int(os.environ["WORK"])


@app.post("/bench.Echo/Echo")
def echo():
    message = request.get_json()
    work(rounds)
    return jsonify(message)
