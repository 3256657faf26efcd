import logging

from public_input_pb2 import Category, Classified, Response

logger = logging.getLogger(__name__)


# A plain function, as some wrote it.
def handler(ctx, data):
    req = Classified()
    data.Unpack(req)
    logger.info("archiving %s as %s", req.email.subject, Category.Name(req.category))

    res = Response()
    res.category = req.category
    res.seen = len(req.email.words)
    return res
