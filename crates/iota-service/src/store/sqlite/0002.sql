-- Version 2.

-- Behind an earlier pending delivery to the same output of the same alert, or of one that outputs know by the same id: it would
-- otherwise be overtaken by an update or a resolution. Told by every statement that makes a delivery pending or ends it.
ALTER TABLE deliveries ADD COLUMN waits INTEGER NOT NULL DEFAULT 0;
-- Somebody asked for it: no limit holds it back, and it uses up none.
ALTER TABLE deliveries ADD COLUMN asked INTEGER NOT NULL DEFAULT 0;
-- The first of the alerts that took over from one another is the last of what the others supersede; version 1 named only the one
-- before.
WITH RECURSIVE line (alert_id, before, length) AS (
    SELECT alert_id, supersedes ->> 0, 1 FROM alerts WHERE supersedes <> '[]'
    UNION ALL
    SELECT line.alert_id, alerts.supersedes ->> 0, length + 1
    FROM line JOIN alerts ON alerts.alert_id = line.before WHERE alerts.supersedes <> '[]'
)
UPDATE alerts SET supersedes = json_insert(alerts.supersedes, '$[#]', known.first)
FROM (SELECT alert_id, before AS first, max(length) AS length FROM line GROUP BY alert_id) AS known
WHERE known.alert_id = alerts.alert_id AND known.length > 1;
-- Id that outputs know the alert by, where that is not its own: `Delivery::known_as`.
ALTER TABLE deliveries ADD COLUMN known_as TEXT;
UPDATE deliveries SET known_as = (SELECT supersedes ->> '$[#-1]' FROM alerts WHERE alerts.alert_id = deliveries.alert_id);
CREATE INDEX deliveries_known_as ON deliveries (known_as, output) WHERE known_as IS NOT NULL;
-- When it may be tried next.
ALTER TABLE deliveries ADD COLUMN next_ms INTEGER GENERATED ALWAYS AS (max(due_ms, leased_ms)) VIRTUAL;
UPDATE deliveries SET asked = 1 WHERE revision < 0;
UPDATE deliveries SET waits = 1 WHERE state = 'pending' AND (
    EXISTS (SELECT 1 FROM deliveries AS earlier WHERE earlier.alert_id = coalesce(deliveries.known_as, deliveries.alert_id)
        AND earlier.output = deliveries.output AND earlier.state = 'pending' AND earlier.rowid < deliveries.rowid)
    OR EXISTS (SELECT 1 FROM deliveries AS earlier WHERE earlier.known_as = coalesce(deliveries.known_as, deliveries.alert_id)
        AND earlier.output = deliveries.output AND earlier.state = 'pending' AND earlier.rowid < deliveries.rowid));
DROP INDEX deliveries_pending;
-- The order of delivery: what is new is due when it was made, so that is oldest first, and what failed comes behind.
CREATE INDEX deliveries_next ON deliveries (output, waits, next_ms, created_ms) WHERE state = 'pending';
-- Since when what is pending of an output waits.
CREATE INDEX deliveries_oldest ON deliveries (output, created_ms) WHERE state = 'pending';
DROP INDEX deliveries_settled;
-- For the storm limit.
CREATE INDEX deliveries_settled ON deliveries (output, pack, rule, state, settled_ms) WHERE settled_ms IS NOT NULL AND asked = 0;

-- What `--now` said; none is the time of creation.
ALTER TABLE alerts ADD COLUMN detected_ms INTEGER;
-- What the alert had when its cells were forgotten, if they were: it has at least that much.
ALTER TABLE alerts ADD COLUMN forgotten_count INTEGER;
ALTER TABLE alerts ADD COLUMN forgotten_first_ms INTEGER;
ALTER TABLE alerts ADD COLUMN forgotten_last_ms INTEGER;

-- `Terms`, event times.
ALTER TABLE objects ADD COLUMN late_before_ms INTEGER;
ALTER TABLE objects ADD COLUMN send_from_ms INTEGER;
ALTER TABLE failed_pairs ADD COLUMN late_before_ms INTEGER;
ALTER TABLE failed_pairs ADD COLUMN send_from_ms INTEGER;

-- How many deliveries of an output are in which state: asked every few seconds, and there may be millions that were made.
CREATE TABLE delivery_counts (
    output TEXT NOT NULL,
    state  TEXT NOT NULL,
    count  INTEGER NOT NULL,
    PRIMARY KEY (output, state)
) STRICT, WITHOUT ROWID;
INSERT INTO delivery_counts (output, state, count) SELECT output, state, count(*) FROM deliveries GROUP BY output, state;
CREATE TRIGGER delivery_is_added AFTER INSERT ON deliveries BEGIN
    INSERT INTO delivery_counts (output, state, count) VALUES (NEW.output, NEW.state, 1)
        ON CONFLICT (output, state) DO UPDATE SET count = count + 1;
END;
CREATE TRIGGER delivery_has_another_state AFTER UPDATE OF state ON deliveries WHEN OLD.state <> NEW.state BEGIN
    UPDATE delivery_counts SET count = count - 1 WHERE output = OLD.output AND state = OLD.state;
    INSERT INTO delivery_counts (output, state, count) VALUES (NEW.output, NEW.state, 1)
        ON CONFLICT (output, state) DO UPDATE SET count = count + 1;
END;
CREATE TRIGGER delivery_is_forgotten AFTER DELETE ON deliveries BEGIN
    UPDATE delivery_counts SET count = count - 1 WHERE output = OLD.output AND state = OLD.state;
END;

-- The bytes of a record whose rules failed or were not run: once, however many rules that are. Of version 1 once for each pair.
CREATE TABLE failed_records (
    id     INTEGER PRIMARY KEY,
    digest BLOB NOT NULL UNIQUE,
    raw    BLOB NOT NULL
) STRICT;
INSERT INTO failed_records (id, digest, raw) SELECT id, randomblob(16), raw FROM failed_pairs;
ALTER TABLE failed_pairs ADD COLUMN raw_id INTEGER NOT NULL DEFAULT 0;
UPDATE failed_pairs SET raw_id = id;
ALTER TABLE failed_pairs DROP COLUMN raw;
CREATE INDEX failed_pairs_raw ON failed_pairs (raw_id);
-- For counts of what was not run.
CREATE INDEX failed_pairs_left_out ON failed_pairs (pack, rule) WHERE failure IS NULL;
CREATE TRIGGER failed_pair_is_removed AFTER DELETE ON failed_pairs BEGIN
    DELETE FROM failed_records WHERE id = OLD.raw_id AND NOT EXISTS (SELECT 1 FROM failed_pairs WHERE raw_id = OLD.raw_id);
END;
