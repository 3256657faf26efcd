import sys

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

from work import work


class Text(BaseModel):
    text: str


app = FastAPI()
rounds = int(sys.argv[2])


@app.post("/bench.Echo/Echo")
async def echo(message: Text) -> Text:
    work(rounds)
    return message


uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning", access_log=False)
