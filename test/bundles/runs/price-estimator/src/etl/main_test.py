from unittest import mock

import pytest
from internal_nodes_pb2 import EtlOutput
from main import handler


class CtxMock:
    logger = mock.Mock()
    get = mock.Mock(
        return_value={"room_type": {"Private room": 0}, "neighbourhood": {"Queens": 2}}
    )


@pytest.mark.asyncio
async def test_handler():
    class DataMock:
        def Unpack(self, obj):
            obj.neighbourhood = "Queens"
            obj.room_type = "Private room"

    result = await handler(CtxMock(), DataMock())
    assert isinstance(result, EtlOutput)
    assert result.model_input.neighbourhood == 2
