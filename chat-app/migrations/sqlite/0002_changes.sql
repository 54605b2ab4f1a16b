-- What changed in a room behind a place in the log: replays of the past in its present state.
CREATE INDEX messages_by_change ON messages (room_id, changed_position);
