-- What changed in a room behind a place in the log: replays of the past in its present state.
CREATE INDEX messages_by_change ON messages (room_id, changed_position);

-- Who took a message back: its sender, or whoever keeps order in the room.
ALTER TABLE messages ADD COLUMN deleted_by VARCHAR(128);
