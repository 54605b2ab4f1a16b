-- Whether a pair has a room that is being filled, without reading all of those.
CREATE INDEX import_rooms_by_pair ON import_rooms (pair_low, pair_high);
