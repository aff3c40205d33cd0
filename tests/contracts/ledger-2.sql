-- A ledger as schema version 2 laid it out and filled it: takes that are archived, in doubt, failed and reserved.
BEGIN TRANSACTION;
CREATE TABLE approvals (
	id INTEGER NOT NULL, 
	campaign VARCHAR(64) NOT NULL, 
	route VARCHAR(64) NOT NULL, 
	"plan" VARCHAR(64) NOT NULL, 
	credits BIGINT NOT NULL, 
	"by" TEXT NOT NULL, 
	at VARCHAR(32) NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "approvals" VALUES(1,'hello','sandbox','ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',2553600,'--yes','2026-11-20T09:00:07.000000+00:00');
CREATE TABLE journal (
	id INTEGER NOT NULL, 
	take_id INTEGER NOT NULL, 
	at VARCHAR(32) NOT NULL, 
	"before" VARCHAR(16) NOT NULL, 
	"after" VARCHAR(16) NOT NULL, 
	reason TEXT NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(take_id) REFERENCES takes (id)
);
INSERT INTO "journal" VALUES(1,1,'2026-11-20T09:00:14.000000+00:00','','reserved','');
INSERT INTO "journal" VALUES(2,1,'2026-11-20T09:00:28.000000+00:00','reserved','submitting','');
INSERT INTO "journal" VALUES(3,1,'2026-11-20T09:00:35.000000+00:00','submitting','submitted','');
INSERT INTO "journal" VALUES(4,1,'2026-11-20T09:00:42.000000+00:00','submitted','succeeded','');
INSERT INTO "journal" VALUES(5,1,'2026-11-20T09:00:49.000000+00:00','succeeded','archived','');
INSERT INTO "journal" VALUES(6,2,'2026-11-20T09:00:56.000000+00:00','','reserved','');
INSERT INTO "journal" VALUES(7,2,'2026-11-20T09:01:10.000000+00:00','reserved','submitting','');
INSERT INTO "journal" VALUES(8,2,'2026-11-20T09:01:17.000000+00:00','submitting','in_doubt','no answer');
INSERT INTO "journal" VALUES(9,3,'2026-11-20T09:01:24.000000+00:00','','reserved','');
INSERT INTO "journal" VALUES(10,3,'2026-11-20T09:01:38.000000+00:00','reserved','submitting','');
INSERT INTO "journal" VALUES(11,3,'2026-11-20T09:01:45.000000+00:00','submitting','submitted','');
INSERT INTO "journal" VALUES(12,3,'2026-11-20T09:01:52.000000+00:00','submitted','failed','service_error');
INSERT INTO "journal" VALUES(13,4,'2026-11-20T09:01:59.000000+00:00','','reserved','');
CREATE TABLE ledger_version (
	version INTEGER NOT NULL
);
INSERT INTO "ledger_version" VALUES(2);
CREATE TABLE takes (
	id INTEGER NOT NULL, 
	campaign VARCHAR(64) NOT NULL, 
	route VARCHAR(64) NOT NULL, 
	slug TEXT NOT NULL, 
	"key" VARCHAR(64) NOT NULL, 
	number INTEGER NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	price BIGINT NOT NULL CHECK (price >= 0), 
	idempotency_key VARCHAR(96) NOT NULL, 
	"plan" VARCHAR(64) NOT NULL, 
	request TEXT, 
	job VARCHAR(128) DEFAULT '' NOT NULL, 
	request_id TEXT DEFAULT '' NOT NULL, 
	charged BIGINT, 
	reason TEXT DEFAULT '' NOT NULL, 
	archive TEXT DEFAULT '' NOT NULL, 
	sha256 VARCHAR(64) DEFAULT '' NOT NULL, 
	created_at VARCHAR(32) NOT NULL, 
	updated_at VARCHAR(32) NOT NULL, 
	submitted_at VARCHAR(32), 
	identity TEXT DEFAULT '' NOT NULL, 
	PRIMARY KEY (id), 
	CONSTRAINT a_known_state CHECK (state in ('archived', 'failed', 'in_doubt', 'released', 'reserved', 'submitted', 'submitting', 'succeeded')), 
	CONSTRAINT a_job_has_an_id CHECK (state not in ('submitted', 'succeeded', 'archived') or job <> ''), 
	CONSTRAINT an_archived_take_has_a_file CHECK (state <> 'archived' or (archive <> '' and sha256 <> '')), 
	CONSTRAINT a_sent_request_is_kept CHECK (state not in ('submitting', 'in_doubt') or request is not null), 
	UNIQUE (idempotency_key)
);
INSERT INTO "takes" VALUES(1,'hello','sandbox','bunny--none--dusk--16x9','8d91db8d48553cff684ff3f0bc2f6de9993a5850388a0e5118642bfb760e1a75',1,'archived',638400,'callsheet-00000000000000000000000000000001','ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',NULL,'task-1','req-1',638400,'','hello/bunny--none--dusk--16x9--t1.mp4','eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee','2026-11-20T09:00:14.000000+00:00','2026-11-20T09:00:49.000000+00:00','2026-11-20T09:00:21.000000+00:00','{"model":"kling-o1-video-edit","prompt":"Re-light the scene at dusk.","take":1}');
INSERT INTO "takes" VALUES(2,'hello','sandbox','bunny--none--neon--16x9','2222222222222222222222222222222222222222222222222222222222222222',1,'in_doubt',638400,'callsheet-00000000000000000000000000000002','ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff','{"callsheet:account": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "model": "kling-o1-video-edit", "prompt": "x"}','','',NULL,'no answer','','','2026-11-20T09:00:56.000000+00:00','2026-11-20T09:01:17.000000+00:00','2026-11-20T09:01:03.000000+00:00','');
INSERT INTO "takes" VALUES(3,'hello','sandbox','cup--none--dusk--16x9','3333333333333333333333333333333333333333333333333333333333333333',1,'failed',638400,'callsheet-00000000000000000000000000000003','ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',NULL,'task-3','',NULL,'service_error','','','2026-11-20T09:01:24.000000+00:00','2026-11-20T09:01:52.000000+00:00','2026-11-20T09:01:31.000000+00:00','');
INSERT INTO "takes" VALUES(4,'hello','sandbox','cup--none--dusk--16x9','3333333333333333333333333333333333333333333333333333333333333333',1,'reserved',638400,'callsheet-00000000000000000000000000000004','ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',NULL,'','',NULL,'','','','2026-11-20T09:01:59.000000+00:00','2026-11-20T09:01:59.000000+00:00',NULL,'');
CREATE TABLE transitions (
	"before" VARCHAR(16) NOT NULL, 
	"after" VARCHAR(16) NOT NULL, 
	PRIMARY KEY ("before", "after")
);
INSERT INTO "transitions" VALUES('reserved','released');
INSERT INTO "transitions" VALUES('reserved','submitting');
INSERT INTO "transitions" VALUES('submitting','in_doubt');
INSERT INTO "transitions" VALUES('submitting','released');
INSERT INTO "transitions" VALUES('submitting','submitted');
INSERT INTO "transitions" VALUES('submitted','failed');
INSERT INTO "transitions" VALUES('submitted','succeeded');
INSERT INTO "transitions" VALUES('succeeded','archived');
INSERT INTO "transitions" VALUES('in_doubt','released');
INSERT INTO "transitions" VALUES('in_doubt','submitted');
CREATE INDEX takes_of_a_key ON takes (route, "key");
CREATE UNIQUE INDEX one_take_per_job ON takes (route, job) WHERE job <> '';
CREATE UNIQUE INDEX one_live_take_per_key ON takes (route, "key") WHERE state in ('in_doubt', 'reserved', 'submitted', 'submitting', 'succeeded');
CREATE INDEX takes_of_a_campaign ON takes (campaign, route, state);
CREATE TRIGGER takes_begin_reserved before insert on takes when new.state <> 'reserved'
       begin select raise(abort, 'illegal transition: a take begins reserved'); end;
CREATE TRIGGER takes_move_legally before update of state on takes
       when new.state <> old.state
        and not exists (select 1 from transitions t where t.before = old.state and t.after = new.state)
       begin select raise(abort, 'illegal transition'); end;
CREATE TRIGGER takes_keep_their_terms before update on takes
       when new.key <> old.key or new.price <> old.price or new.route <> old.route
         or new.idempotency_key <> old.idempotency_key
       begin select raise(abort, 'illegal change: key, price, route and idempotency key never change'); end;
CREATE TRIGGER takes_stay before delete on takes
       begin select raise(abort, 'illegal change: a take is never deleted'); end;
CREATE TRIGGER takes_begin_in_the_journal after insert on takes
       begin insert into journal (take_id, at, before, after, reason)
             values (new.id, new.created_at, '', new.state, new.reason); end;
CREATE TRIGGER takes_move_in_the_journal after update of state on takes when new.state <> old.state
       begin insert into journal (take_id, at, before, after, reason)
             values (new.id, new.updated_at, old.state, new.state, new.reason); end;
CREATE TRIGGER journal_stays before delete on journal
       begin select raise(abort, 'illegal change: the journal is append-only'); end;
CREATE TRIGGER journal_is_as_written before update on journal
       begin select raise(abort, 'illegal change: the journal is append-only'); end;
CREATE TRIGGER takes_keep_their_identity before update on takes when new.identity <> old.identity
       begin select raise(abort, 'illegal change: the identity of a take never changes'); end;
COMMIT;
