"""What the model knows of a room: shared by this node and by the training."""

import math

# Times Square, as (latitude, longitude) in degrees.
CENTRE = (40.7580, -73.9855)

KM_PER_DEGREE = 111.2


def km_from_centre(latitude, longitude):
    """Distance to the centre in km. On a city's scale the earth is flat."""
    north = (latitude - CENTRE[0]) * KM_PER_DEGREE
    east = (
        (longitude - CENTRE[1]) * KM_PER_DEGREE * math.cos(math.radians(CENTRE[0]))
    )
    return math.hypot(north, east)


def numbers(room):
    """The numeric features of room, which is a Request or has its fields."""
    return {
        "accommodates": float(room.accommodates),
        "bedrooms": float(room.bedrooms),
        "bathrooms": float(room.bathrooms),
        "beds": float(room.beds),
        "km_from_centre": km_from_centre(room.latitude, room.longitude),
        "tv": float(room.tv),
        "elevator": float(room.elevator),
        "internet": float(room.internet),
    }


def labels(room):
    """The features of room that are names."""
    return {"borough": room.borough, "room_type": room.room_type}
