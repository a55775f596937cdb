"""Consultations with their cards and suggestions, feedback, a site's overrides, used tokens."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "consultations",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("client", sa.Text()),
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("hook", sa.Text(), nullable=False),
        sa.Column("hook_instance", sa.Text()),
        sa.Column("patient", sa.Text()),
        sa.Column("asked_by", sa.Text()),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("problem", sa.Text()),
        sa.Column("arm", sa.Text(), nullable=False),
        sa.Column("guideline", sa.Text()),
        sa.Column("edition", sa.Text()),
        sa.Column("overrides", sa.String(length=64)),
        sa.Column("as_of", sa.Text()),
        sa.Column("outcome", sa.Text()),
        sa.Column("rules", sa.Text()),
        sa.Column("fired", sa.Text()),
        sa.Column("missing", sa.Text()),
        sa.Column("needs", sa.Text()),
        sa.Column("fhir_server", sa.Text()),
        sa.Column("durations", sa.Text()),
        sa.Column("ms", sa.Float(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consultations")),
    )
    op.create_index(op.f("ix_consultations_at"), "consultations", ["at"])
    op.create_index(op.f("ix_consultations_hook_instance"), "consultations", ["hook_instance"])
    op.create_index(op.f("ix_consultations_patient_at"), "consultations", ["patient", "at"])
    op.create_table(
        "feedback",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("client", sa.Text()),
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("card", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("outcome_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("comment", sa.Text()),
        sa.Column("extension", sa.Text()),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_feedback")),
    )
    op.create_index(op.f("ix_feedback_card"), "feedback", ["card"])
    op.create_index(op.f("ix_feedback_received_at"), "feedback", ["received_at"])
    op.create_table(
        "overrides",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("first_seen", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_overrides")),
    )
    op.create_table(
        "used_tokens",
        sa.Column("token", sa.String(length=64), nullable=False),
        sa.Column("expires", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("token", name=op.f("pk_used_tokens")),
    )
    op.create_index(op.f("ix_used_tokens_expires"), "used_tokens", ["expires"])
    op.create_table(
        "accepted_suggestions",
        sa.Column("feedback", sa.String(length=64), nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("suggestion", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["feedback"],
            ["feedback.id"],
            name=op.f("fk_accepted_suggestions_feedback"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("feedback", "position", name=op.f("pk_accepted_suggestions")),
    )
    op.create_index(
        op.f("ix_accepted_suggestions_suggestion"), "accepted_suggestions", ["suggestion"]
    )
    op.create_table(
        "cards",
        sa.Column("consultation", sa.String(length=32), nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("uuid", sa.Text(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("indicator", sa.Text(), nullable=False),
        sa.Column("digest", sa.String(length=32), nullable=False),
        sa.Column("shown", sa.Boolean(), nullable=False),
        sa.Column("hidden", sa.Text()),
        sa.ForeignKeyConstraint(
            ["consultation"],
            ["consultations.id"],
            name=op.f("fk_cards_consultations"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("consultation", "position", name=op.f("pk_cards")),
    )
    op.create_index(op.f("ix_cards_uuid"), "cards", ["uuid"])
    op.create_table(
        "override_reasons",
        sa.Column("feedback", sa.String(length=64), nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("system", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("display", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["feedback"],
            ["feedback.id"],
            name=op.f("fk_override_reasons_feedback"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("feedback", "position", name=op.f("pk_override_reasons")),
    )
    op.create_table(
        "suggestions",
        sa.Column("consultation", sa.String(length=32), nullable=False),
        sa.Column("card", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("uuid", sa.Text(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("recommended", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["consultation"],
            ["consultations.id"],
            name=op.f("fk_suggestions_consultations"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("consultation", "card", "position", name=op.f("pk_suggestions")),
    )
    op.create_index(op.f("ix_suggestions_uuid"), "suggestions", ["uuid"])
