-- Targets: Valkey and Redis servers as nodes declare them, grouped into clusters.

create table clusters (
  id uuid primary key,
  session_id uuid not null references sessions (id),
  discovery_ok boolean not null,
  discovery_error text,
  discovered_at timestamptz not null default now()
);
create index idx_clusters_session on clusters (session_id);

create table targets (
  id uuid primary key,
  session_id uuid not null references sessions (id),
  -- What makes two declarations the same server: its cluster node id, else its run id, else its address.
  identity text not null,
  kind text not null check (kind in ('server', 'synthetic')),
  cluster_id uuid references clusters (id),
  host text not null,
  port int not null,
  role text not null check (role in ('primary', 'replica')),
  health text not null check (health in ('healthy', 'suspect', 'unhealthy')),
  shard text,
  slots jsonb not null default '[]',
  config_epoch bigint,
  cluster_node_id text,
  run_id text,
  server_version text,
  last_seen_at timestamptz not null default now(),
  unique (session_id, identity)
);
create index idx_targets_cluster on targets (cluster_id);

create table node_targets (
  node_id text not null references runtime_nodes (node_id),
  target_id uuid not null references targets (id),
  primary key (node_id, target_id)
);
create index idx_node_targets_target on node_targets (target_id);
