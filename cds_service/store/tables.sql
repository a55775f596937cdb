-- A new SQLite file, as `database` and the migrations make it (tests/store/test_schema.py).
CREATE TABLE consultations (
  id VARCHAR(32) NOT NULL,
  at DATETIME NOT NULL,
  client TEXT,
  service TEXT NOT NULL,
  hook TEXT NOT NULL,
  hook_instance TEXT,
  patient TEXT,
  asked_by TEXT,
  status INTEGER NOT NULL,
  problem TEXT,
  arm TEXT NOT NULL,
  guideline TEXT,
  edition TEXT,
  overrides VARCHAR(64),
  as_of TEXT,
  language TEXT,
  outcome TEXT,
  rules TEXT,
  fired TEXT,
  missing TEXT,
  unread TEXT,
  needs TEXT,
  fhir_server TEXT,
  durations TEXT,
  ms FLOAT NOT NULL,
  version TEXT NOT NULL,
  chain VARCHAR(16),
  number INTEGER,
  hash VARCHAR(64),
  CONSTRAINT pk_consultations PRIMARY KEY (id)
);
CREATE UNIQUE INDEX ix_consultations_chain_number ON consultations (chain, number);
CREATE INDEX ix_consultations_patient_at ON consultations (patient, at);
CREATE INDEX ix_consultations_at ON consultations (at);
CREATE INDEX ix_consultations_hook_instance ON consultations (hook_instance);
CREATE TABLE overrides (
  digest VARCHAR(64) NOT NULL,
  text TEXT NOT NULL,
  first_seen DATETIME NOT NULL,
  CONSTRAINT pk_overrides PRIMARY KEY (digest)
);
CREATE TABLE feedback (
  id VARCHAR(64) NOT NULL,
  received_at DATETIME NOT NULL,
  client TEXT,
  service TEXT NOT NULL,
  card TEXT NOT NULL,
  outcome TEXT NOT NULL,
  outcome_at DATETIME NOT NULL,
  comment TEXT,
  extension TEXT,
  chain VARCHAR(16),
  number INTEGER,
  hash VARCHAR(64),
  sealed TEXT,
  CONSTRAINT pk_feedback PRIMARY KEY (id)
);
CREATE UNIQUE INDEX ix_feedback_chain_number ON feedback (chain, number);
CREATE INDEX ix_feedback_card ON feedback (card);
CREATE INDEX ix_feedback_received_at ON feedback (received_at);
CREATE TABLE chains (
  chain VARCHAR(16) NOT NULL,
  place INTEGER NOT NULL,
  began DATETIME NOT NULL,
  version TEXT NOT NULL,
  previous VARCHAR(16),
  previous_number INTEGER,
  previous_hash VARCHAR(64),
  number INTEGER NOT NULL,
  hash VARCHAR(64) NOT NULL,
  CONSTRAINT pk_chains PRIMARY KEY (chain),
  CONSTRAINT uq_chains_place UNIQUE (place)
);
CREATE TABLE pruned_rows (
  chain VARCHAR(16) NOT NULL,
  first INTEGER NOT NULL,
  last INTEGER NOT NULL,
  hash VARCHAR(64) NOT NULL,
  until DATETIME NOT NULL,
  CONSTRAINT pk_pruned_rows PRIMARY KEY (chain, first)
);
CREATE TABLE used_tokens (
  token VARCHAR(64) NOT NULL,
  expires DATETIME NOT NULL,
  CONSTRAINT pk_used_tokens PRIMARY KEY (token)
);
CREATE INDEX ix_used_tokens_expires ON used_tokens (expires);
CREATE TABLE unknown_codes (
  day DATE NOT NULL,
  need TEXT NOT NULL,
  system TEXT NOT NULL,
  code TEXT NOT NULL,
  count INTEGER NOT NULL,
  CONSTRAINT pk_unknown_codes PRIMARY KEY (day, need, system, code)
);
CREATE TABLE alembic_version (
  version_num VARCHAR(32) NOT NULL,
  CONSTRAINT pk_alembic_version PRIMARY KEY (version_num)
);
CREATE TABLE cards (
  consultation VARCHAR(32) NOT NULL,
  position INTEGER NOT NULL,
  uuid TEXT NOT NULL,
  rule TEXT NOT NULL,
  text TEXT NOT NULL,
  topic TEXT NOT NULL,
  indicator TEXT NOT NULL,
  digest VARCHAR(32) NOT NULL,
  shown BOOLEAN NOT NULL,
  hidden TEXT,
  CONSTRAINT pk_cards PRIMARY KEY (consultation, position),
  CONSTRAINT fk_cards_consultations FOREIGN KEY(consultation) REFERENCES consultations (id) ON DELETE CASCADE
);
CREATE INDEX ix_cards_uuid ON cards (uuid);
CREATE TABLE suggestions (
  consultation VARCHAR(32) NOT NULL,
  card INTEGER NOT NULL,
  position INTEGER NOT NULL,
  uuid TEXT NOT NULL,
  rule TEXT NOT NULL,
  recommended BOOLEAN NOT NULL,
  CONSTRAINT pk_suggestions PRIMARY KEY (consultation, card, position),
  CONSTRAINT fk_suggestions_consultations FOREIGN KEY(consultation) REFERENCES consultations (id) ON DELETE CASCADE
);
CREATE INDEX ix_suggestions_uuid ON suggestions (uuid);
CREATE TABLE accepted_suggestions (
  feedback VARCHAR(64) NOT NULL,
  position INTEGER NOT NULL,
  suggestion TEXT NOT NULL,
  CONSTRAINT pk_accepted_suggestions PRIMARY KEY (feedback, position),
  CONSTRAINT fk_accepted_suggestions_feedback FOREIGN KEY(feedback) REFERENCES feedback (id) ON DELETE CASCADE
);
CREATE INDEX ix_accepted_suggestions_suggestion ON accepted_suggestions (suggestion);
CREATE TABLE override_reasons (
  feedback VARCHAR(64) NOT NULL,
  position INTEGER NOT NULL,
  system TEXT NOT NULL,
  code TEXT NOT NULL,
  display TEXT NOT NULL,
  offered BOOLEAN,
  CONSTRAINT pk_override_reasons PRIMARY KEY (feedback, position),
  CONSTRAINT fk_override_reasons_feedback FOREIGN KEY(feedback) REFERENCES feedback (id) ON DELETE CASCADE
);
