"""The tables of the ledger, and the steps that upgrade an older file."""

from __future__ import annotations

import sqlite3

from pacsfw.errors import StateError

STEPS = (
    """
    CREATE TABLE facts (
        key TEXT PRIMARY KEY,
        value TEXT NOT NULL
    ) WITHOUT ROWID;

    -- Evidence of every query that find sent to a PACS.
    CREATE TABLE questions (
        id INTEGER PRIMARY KEY,
        query TEXT NOT NULL,            -- fingerprint of the search
        slice TEXT NOT NULL,
        whole INTEGER NOT NULL,
        status INTEGER,
        ended TEXT NOT NULL,
        rows INTEGER NOT NULL,
        seconds REAL NOT NULL,
        asked_at TEXT NOT NULL
    );
    CREATE INDEX questions_query ON questions (query);

    CREATE TABLE studies (
        study_uid TEXT PRIMARY KEY,
        patient_id TEXT NOT NULL,
        attributes TEXT NOT NULL,       -- JSON: what the query returned
        origin TEXT NOT NULL,           -- find | list | patient | unsolicited
        listed INTEGER NOT NULL,        -- written to storage.resources once
        selected INTEGER NOT NULL,      -- on the study list at the last move
        state TEXT NOT NULL,            -- found | requested | settled
        attempts INTEGER NOT NULL DEFAULT 0,
        version INTEGER NOT NULL DEFAULT 0,  -- counts changes of its rows and verdict
        verdict TEXT,
        reason TEXT NOT NULL DEFAULT '',
        expected INTEGER,
        source TEXT NOT NULL DEFAULT '',
        missing TEXT NOT NULL DEFAULT '[]',
        components TEXT NOT NULL DEFAULT '{}',
        requested_at TEXT,
        settled_at TEXT
    ) WITHOUT ROWID;
    CREATE INDEX studies_patient ON studies (patient_id);
    CREATE INDEX studies_state ON studies (selected, state, verdict);

    CREATE TABLE instances (
        id INTEGER PRIMARY KEY,
        sop_uid TEXT NOT NULL,
        digest TEXT NOT NULL,
        study_uid TEXT NOT NULL,        -- '' if the instance could not be read
        series_uid TEXT NOT NULL,
        sop_class TEXT NOT NULL,
        syntax TEXT NOT NULL,
        size INTEGER NOT NULL,
        path TEXT NOT NULL,             -- relative to the dataset folder (stored) or the state
        state TEXT NOT NULL,            -- stored | quarantined | version | held | left-out
        reason TEXT NOT NULL,
        calling_ae TEXT NOT NULL,
        received_at TEXT NOT NULL,
        row TEXT NOT NULL,              -- JSON: the typed cells of the configured tags
        UNIQUE (sop_uid, digest)
    );
    CREATE INDEX instances_study ON instances (study_uid, state);

    CREATE TABLE tag_errors (
        instance_id INTEGER NOT NULL REFERENCES instances (id) ON DELETE CASCADE,
        column_name TEXT NOT NULL,
        tag TEXT NOT NULL,
        stage TEXT NOT NULL,
        component TEXT NOT NULL,
        reason TEXT NOT NULL
    );
    CREATE INDEX tag_errors_instance ON tag_errors (instance_id);

    CREATE TABLE sinks (
        sink TEXT PRIMARY KEY,
        position INTEGER NOT NULL,
        dirty INTEGER NOT NULL          -- rows changed: rewrite before trusting position
    ) WITHOUT ROWID;

    CREATE TABLE deliveries (
        sink TEXT NOT NULL,
        study_uid TEXT NOT NULL,
        version INTEGER NOT NULL,       -- the study's version that was delivered
        PRIMARY KEY (sink, study_uid)
    ) WITHOUT ROWID;
    """,
    """
    -- One search, from its first query to its last.
    CREATE TABLE searches (
        id INTEGER PRIMARY KEY,
        query TEXT NOT NULL,            -- fingerprint
        started_at TEXT NOT NULL,
        finished_at TEXT,
        largest INTEGER NOT NULL DEFAULT 0,  -- rows of the largest query result
        cut INTEGER NOT NULL DEFAULT 0,      -- a query result was cut short
        problems TEXT NOT NULL DEFAULT '[]',  -- JSON: other parts that are not proven
        notes TEXT NOT NULL DEFAULT '[]',     -- JSON: remarks for the user
        seen TEXT NOT NULL DEFAULT '{}'       -- JSON: counts of oddities of the query results
    );

    CREATE TABLE regions (
        search INTEGER NOT NULL REFERENCES searches (id) ON DELETE CASCADE,
        region TEXT NOT NULL,
        state TEXT NOT NULL,            -- proven | divided | unproven
        detail TEXT NOT NULL,           -- JSON: the parts of a divided region, otherwise a reason
        PRIMARY KEY (search, region)
    ) WITHOUT ROWID;

    CREATE TABLE answers (
        search INTEGER NOT NULL REFERENCES searches (id) ON DELETE CASCADE,
        member INTEGER NOT NULL,        -- row of the cohort, 0 without a cohort
        study_uid TEXT NOT NULL,
        PRIMARY KEY (search, member, study_uid)
    ) WITHOUT ROWID;

    ALTER TABLE questions ADD COLUMN search INTEGER;
    ALTER TABLE questions ADD COLUMN level TEXT NOT NULL DEFAULT 'STUDY';
    CREATE INDEX questions_search ON questions (search, level);
    """,
    """
    -- The result of converting one instance, series or study.
    CREATE TABLE conversions (
        converter TEXT NOT NULL,        -- the id of its use
        item TEXT NOT NULL,             -- path of the instance, UIDs of the series or study
        study_uid TEXT NOT NULL,
        fingerprint TEXT NOT NULL,      -- of the converter, its options and the sources
        state TEXT NOT NULL,            -- done | skipped | failed
        reason TEXT NOT NULL,
        component TEXT NOT NULL,        -- name, distribution, version
        at TEXT NOT NULL,
        PRIMARY KEY (converter, item)
    ) WITHOUT ROWID;
    CREATE INDEX conversions_study ON conversions (study_uid);

    CREATE TABLE outputs (
        path TEXT PRIMARY KEY,          -- absolute
        converter TEXT NOT NULL,
        item TEXT NOT NULL,
        media_type TEXT NOT NULL,
        size INTEGER NOT NULL,
        digest TEXT NOT NULL,           -- SHA-256 of the file
        sources TEXT NOT NULL,          -- JSON: SOP Instance UIDs
        placed INTEGER NOT NULL         -- 0 until the file is at its final path
    ) WITHOUT ROWID;
    CREATE INDEX outputs_item ON outputs (converter, item);

    CREATE TABLE converted (
        converter TEXT NOT NULL,
        study_uid TEXT NOT NULL,
        fingerprint TEXT NOT NULL,      -- of the converter and its options
        version INTEGER NOT NULL,       -- of the study, when all its items were done
        PRIMARY KEY (converter, study_uid)
    ) WITHOUT ROWID;

    -- Faults of components that belong to no instance and no study.
    CREATE TABLE faults (
        run TEXT NOT NULL,
        kind TEXT NOT NULL,             -- sink | observer
        component TEXT NOT NULL,
        reason TEXT NOT NULL,
        count INTEGER NOT NULL,
        at TEXT NOT NULL
    );

    -- The sink that took the rows, with distribution and version.
    ALTER TABLE deliveries ADD COLUMN component TEXT NOT NULL DEFAULT '';
    """,
    """
    ALTER TABLE studies ADD COLUMN given_up INTEGER NOT NULL DEFAULT 0;  -- see trials
    ALTER TABLE studies ADD COLUMN checked_at TEXT;  -- the last query for its instances

    -- Verdicts of the series, as of the last verdict of their study.
    CREATE TABLE series (
        study_uid TEXT NOT NULL,
        series_uid TEXT NOT NULL,
        verdict TEXT NOT NULL,
        reason TEXT NOT NULL,
        expected INTEGER,
        stored INTEGER NOT NULL,
        source TEXT NOT NULL,
        missing TEXT NOT NULL,
        PRIMARY KEY (study_uid, series_uid)
    ) WITHOUT ROWID;

    -- Number of runs that requested an instance in vain ('': whatever the study lacks).
    CREATE TABLE trials (
        study_uid TEXT NOT NULL,
        sop_uid TEXT NOT NULL,
        runs INTEGER NOT NULL,
        run TEXT NOT NULL,              -- the last one
        PRIMARY KEY (study_uid, sop_uid)
    ) WITHOUT ROWID;

    CREATE TABLE flags (
        study_uid TEXT NOT NULL,
        sop_uid TEXT NOT NULL,
        flag TEXT NOT NULL,             -- vanished | rejected
        noticed_at TEXT NOT NULL,
        PRIMARY KEY (study_uid, sop_uid, flag)
    ) WITHOUT ROWID;
    """,
    """
    ALTER TABLE studies ADD COLUMN comment TEXT NOT NULL DEFAULT '';  -- of the PACS; only shown
    ALTER TABLE trials ADD COLUMN at TEXT NOT NULL DEFAULT '';        -- the last counted trial
    ALTER TABLE searches ADD COLUMN valid_until TEXT;   -- later studies are not part of the proof
    ALTER TABLE instances ADD COLUMN address TEXT NOT NULL DEFAULT '';  -- of the sender
    -- The StudyInstanceUID of the data set, if the PACS lists the instance in another study.
    ALTER TABLE instances ADD COLUMN named_study TEXT NOT NULL DEFAULT '';

    -- The senders that sub-operations of our requests were seen to come from.
    CREATE TABLE senders (
        calling_ae TEXT NOT NULL,
        address TEXT NOT NULL,
        evidence TEXT NOT NULL,
        noticed_at TEXT NOT NULL,
        PRIMARY KEY (calling_ae, address)
    ) WITHOUT ROWID;

    -- What query results showed about a PACS.
    CREATE TABLE traits (
        peer TEXT NOT NULL,
        trait TEXT NOT NULL,            -- largest:IMAGE | refused_keys | ...
        value TEXT NOT NULL,            -- JSON
        PRIMARY KEY (peer, trait)
    ) WITHOUT ROWID;
    """,
    """
    -- Rows that a sink refused because of their values, as of the last delivery of their study.
    CREATE TABLE refusals (
        sink TEXT NOT NULL,
        study_uid TEXT NOT NULL,
        file TEXT NOT NULL,             -- what the row is about
        reason TEXT NOT NULL,
        component TEXT NOT NULL,
        PRIMARY KEY (sink, study_uid, file)
    ) WITHOUT ROWID;
    CREATE INDEX refusals_study ON refusals (study_uid);
    ALTER TABLE studies ADD COLUMN refusals INTEGER NOT NULL DEFAULT 0;  -- counts their changes
    """,
    """
    -- What identifies the content at the position, whatever the path: see api.Sink.mark.
    ALTER TABLE sinks ADD COLUMN mark TEXT NOT NULL DEFAULT '';
    -- What all of its rows rest on, such as the folders in their paths; NULL: not known.
    ALTER TABLE sinks ADD COLUMN basis TEXT;
    """,
    """
    -- Of an instance that is not stored: the component that caused it, with its distribution and
    -- version, and the fingerprint of the rule that left it out.
    ALTER TABLE instances ADD COLUMN component TEXT NOT NULL DEFAULT '';
    ALTER TABLE instances ADD COLUMN rule TEXT NOT NULL DEFAULT '';
    ALTER TABLE studies ADD COLUMN left_out INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE series ADD COLUMN left_out INTEGER NOT NULL DEFAULT 0;
    UPDATE instances SET component = substr(reason, 8, instr(reason, ')') - 7)
        WHERE state = 'quarantined' AND reason LIKE 'layout ''%'' (from %)%';
    -- What a layout skipped was quarantined and, in the end, given up: it is requested once more.
    DELETE FROM trials WHERE (study_uid, sop_uid) IN (SELECT study_uid, sop_uid FROM instances
        WHERE state = 'quarantined' AND reason LIKE 'skipped by layout %');
    UPDATE studies SET given_up = 0 WHERE study_uid IN (SELECT study_uid FROM instances
        WHERE state = 'quarantined' AND reason LIKE 'skipped by layout %');
    """,
    """
    -- Components as they were when they worked, each set once. NULL in what refers to a set:
    -- an older pacsfw did not record it.
    CREATE TABLE component_sets (
        id INTEGER PRIMARY KEY,
        components TEXT NOT NULL UNIQUE -- JSON: package, code, fingerprint, digest of the options
    );
    ALTER TABLE instances ADD COLUMN placed_by INTEGER;   -- the layout that chose the path
    ALTER TABLE instances ADD COLUMN read_by INTEGER;     -- the callbacks that read the row
    ALTER TABLE conversions ADD COLUMN made_by INTEGER;   -- the converter
    """,
)


def migrate(connection: sqlite3.Connection, where: str) -> None:
    """Apply the steps that the file lacks.

    Raises
    ------
    StateError
        The file was written by a newer pacsfw.
    """
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > len(STEPS):
        raise StateError(
            f"{where}: written by a newer pacsfw (ledger version {version}, this one supports "
            f"{len(STEPS)}): upgrade pacsfw"
        )
    for number, step in enumerate(STEPS[version:], start=version + 1):
        connection.executescript(f"BEGIN; {step} PRAGMA user_version = {number}; COMMIT;")
