/** How bad a finding is. `hint`: nothing is broken, and it is worth knowing. */
export type Severity = 'error' | 'hint' | 'warning';

/** One kind of fault: what `--explain` and docs/doctor.md tell of it. */
export interface CatalogueEntry {
  /** Of findings that say nothing else. */
  readonly severity: Severity;
  readonly title: string;
  readonly cause: string;
  readonly remedy: string;
  /** How it is found. */
  readonly seen: string;
}

/** Every code of a finding, in the order in which they are told. Codes never change their meaning. */
export const CATALOGUE = {
  'BUS-UNREACHABLE': {
    severity: 'error',
    title: 'The bus cannot be reached',
    cause: 'The broker is down, the host or the port is another one, or a firewall is in between.',
    remedy: 'Check host and port of the transport URL, then `rabbitmqctl status` on that host.',
    seen: 'A connection is opened as a service does it. Each host of the URL is tried.',
  },
  'BUS-TLS': {
    severity: 'error',
    title: 'The bus and this program do not agree about TLS',
    cause:
      'One side speaks TLS and the other does not, or a certificate is not trusted, has expired, or is for another name.',
    remedy:
      'For TLS the URL begins with rabbit+ssl:// and the port is usually 5671. Name the authority in ssl_ca_file. Services need the same.',
    seen: 'A connection is opened as a service does it. The text has the reason of the TLS library.',
  },
  'BUS-LOGIN': {
    severity: 'error',
    title: 'The broker refuses the user or the password',
    cause:
      "The user does not exist, the password is another one, or the user 'guest' comes from another host, which RabbitMQ refuses.",
    remedy: 'Compare with `rabbitmqctl list_users`; `rabbitmqctl authenticate_user USER PASSWORD` tries a password.',
    seen: "The broker's own words at the login.",
  },
  'BUS-VHOST': {
    severity: 'error',
    title: 'The virtual host does not exist, or the user may not use it',
    cause:
      'The last part of the transport URL names the virtual host. A user needs permissions in each one of its own.',
    remedy: 'Compare with `rabbitmqctl list_vhosts` and `rabbitmqctl list_permissions -p VHOST`.',
    seen: "The broker's own words when the virtual host is opened.",
  },
  'BUS-PERMISSION': {
    severity: 'error',
    title: 'The user lacks a permission',
    cause:
      'A service declares its queues and exchanges (configure), publishes (write) and consumes (read). One of these is refused to the user of the transport URL.',
    remedy:
      "Give it to the user: `rabbitmqctl set_permissions -p VHOST USER '.*' '.*' '.*'`, or with narrower expressions.",
    seen: 'Each of these is done with a queue of its own (`reply_oslo-bus-…`, deleted at once) and with keys that nobody has bound.',
  },
  'BUS-ALARM': {
    severity: 'error',
    title: 'The broker has an alarm and takes no messages',
    cause:
      'A node is low on memory or disk. It reads nothing from whoever publishes, so all requests and answers wait.',
    remedy:
      'Look for a queue that grows (SRV-BACKLOG, NOTE-NOBODY), then at `rabbitmqctl status` and the disk of that node.',
    seen: 'A message is published, and the broker blocks the connection. With management: which node, memory or disk.',
  },
  'BUS-CLOCK': {
    severity: 'hint',
    title: 'The clock of the broker differs from ours',
    cause: 'One of the two hosts does not follow a time server.',
    remedy:
      'Look at `chronyc tracking` or `timedatectl` on both hosts. Logs and notifications cannot be compared until then.',
    seen: 'With management only: the date of its answers, of the node that answers. A difference of more than 2 s is told.',
  },
  'TOPO-DURABILITY': {
    severity: 'error',
    title: 'An exchange or queue exists with another durability',
    cause:
      'It was made by a service with another amqp_durable_queues or rabbit_quorum_queue, or before that option was changed. Services that are configured otherwise fail to declare it (PRECONDITION_FAILED).',
    remedy:
      'Give all services of this bus the same options. Then stop them, delete the object, and start them again: durability cannot be changed.',
    seen: 'The object is declared as the configuration says, which changes nothing where it exists. The broker compares. Without --config-file our options are the defaults: then it is a warning.',
  },
  'TOPO-TYPE': {
    severity: 'error',
    title: 'An exchange exists with another type',
    cause:
      'Something else has made an exchange of that name. oslo.messaging needs a topic exchange, and a fanout exchange for fanouts.',
    remedy: 'Find out who uses it, then delete it, or give the services another control_exchange.',
    seen: 'The exchange is declared as oslo.messaging does. The broker compares.',
  },
  'TOPO-ARGUMENTS': {
    severity: 'error',
    title: 'A queue exists with other arguments',
    cause:
      'Two services have different options (quorum queues, lengths, times to live), or the queue is older than a change of them. The one that comes second fails to declare it (PRECONDITION_FAILED).',
    remedy: 'Give all services the same options. Then stop them, delete the queue, and start them again.',
    seen: 'The queue is declared as the configuration says. The broker names the argument, ours and theirs. Without --config-file our options are the defaults: then it is a warning.',
  },
  'TOPO-SHARED-NAME': {
    severity: 'warning',
    title: 'Two exchanges lead to one topic queue',
    cause:
      "A queue's name is its topic alone, without the exchange. Two services with the same topic on one virtual host read each other's requests.",
    remedy: 'Give each service a virtual host of its own, or another topic.',
    seen: 'With management only: the bindings of topic queues. Notification queues are shared on purpose, and left out.',
  },
  'TOPO-UNBOUND': {
    severity: 'error',
    title: 'A queue is not bound to its exchange',
    cause:
      'Its servers run on another exchange (control_exchange), or the exchange was deleted and made anew without them. Requests are published and reach no queue.',
    remedy: 'Check --exchange. Restart the service: it binds its queues when it starts.',
    seen: 'A mandatory request of a method that no server has is returned by the broker. With management: the bindings.',
  },
  'SRV-NO-QUEUE': {
    severity: 'error',
    title: 'There is no queue for a topic or server',
    cause: 'No server of it has ever started on this virtual host, or its queue was deleted. Calls to it reach nobody.',
    remedy: 'Start the service, or check the name and the exchange: topics and servers are case-sensitive.',
    seen: 'A passive look at the queues of the topics and servers that were named.',
  },
  'SRV-NO-CONSUMER': {
    severity: 'error',
    title: 'Nobody consumes the queue of a topic or server',
    cause: 'The service is down, or cannot log in. Calls wait in the queue and time out.',
    remedy:
      'Start the service. If its host is gone, delete the queue: what waits there are requests that nobody waits for any more.',
    seen: 'Two passive looks. With management: all queues that look like those of oslo.messaging.',
  },
  'SRV-BACKLOG': {
    severity: 'warning',
    title: 'Requests wait, and become more',
    cause:
      'The servers of the queue do not keep up: too few of them, too few threads, or something behind them is slow.',
    remedy:
      'Look at the load and the logs of the servers, and start more of them. `oslo-bus tap --topic T` shows what is called.',
    seen: 'Two looks: 10 messages or more and growing is a warning, more than 1 000 and growing an error. A backlog of 1 000 that needs more than 60 s to empty is a warning, too.',
  },
  'SRV-SILENT': {
    severity: 'error',
    title: 'A server consumes and does not answer',
    cause: 'A process has taken the request and does not get to it: it hangs, or all of its threads are busy.',
    remedy:
      'Look at the log and the threads of that process, and restart it. `oslo-bus why` shows the same step by step.',
    seen: 'A call of a method that no server has; any answer proves life. Where the version is served it leaves no line in a log of Python; --no-ping leaves it out.',
  },
  'SRV-VERSION-SKEW': {
    severity: 'warning',
    title: 'Servers of one topic serve different versions',
    cause: 'An upgrade is not finished. A call of a newer version fails wherever an older server gets it.',
    remedy: 'Finish the upgrade, or pin the callers meanwhile ([upgrade_levels]).',
    seen: 'With --versions only: each server is asked for its versions. One that it does not serve is an ERROR in its log.',
  },
  'SRV-GHOST': {
    severity: 'hint',
    title: 'Queues of servers that are gone',
    cause:
      'A host was removed or renamed, or a service takes a new name at each start, as heat-engine does. The queue has no time to live, and stays. Whatever is sent to it waits for ever.',
    remedy: 'Delete the queues if the servers are gone.',
    seen: 'With management only: queues of servers without consumers and without messages, in both looks.',
  },
  'NOTE-NOBODY': {
    severity: 'warning',
    title: 'Notifications pile up, and nobody listens',
    cause:
      'A service sends notifications and nothing consumes them. The queue grows until the broker has an alarm and blocks everybody.',
    remedy:
      'Run a listener, or set `driver = noop` in [oslo_messaging_notifications] of the services. Then purge the queue.',
    seen: 'Two looks at `notifications.*`: no consumer and growing, or 1 000 messages and more. With management: all topics, and pools.',
  },
  'REPLY-ORPHAN': {
    severity: 'hint',
    title: 'Reply queues that nobody consumes',
    cause: 'Their clients have died, or lost the broker. Servers still answer into them.',
    remedy:
      'Nothing, where they expire by themselves (rabbit_transient_queues_ttl, 30 minutes). Delete those that do not.',
    seen: 'With management only: queues `reply_*` without consumers in both looks, but for those that expire within three minutes.',
  },
  'FANOUT-ORPHAN': {
    severity: 'hint',
    title: 'Fanout queues that nobody consumes',
    cause: 'Their servers have died, or lost the broker. Each fanout still leaves a copy in each of them.',
    remedy:
      'Nothing, where they expire by themselves (rabbit_transient_queues_ttl, 30 minutes). Delete those that do not.',
    seen: 'With management only: queues `*_fanout_*` without consumers in both looks, but for those that expire within three minutes.',
  },
  'CONN-STORM': {
    severity: 'warning',
    title: 'A program opens very many connections',
    cause:
      'It connects again and again (a wrong heartbeat, a proxy that cuts connections, a crash loop), or makes a new transport for each request.',
    remedy:
      'Look at the log of that program, and at heartbeat_timeout_threshold and the timeouts of proxies in between.',
    seen: 'With management only: more than 100 connections of one process, or 20 and more new ones between the two looks, at more than 5 a second.',
  },
  'CONN-OLD-CLIENT': {
    severity: 'warning',
    title: 'A client is so old that it lacks what failures need',
    cause:
      'It does not understand that its consumer was cancelled, or that the broker has blocked it (capabilities), or is a py-amqp before 2.4, whose heartbeats are known to fail.',
    remedy: 'Upgrade oslo.messaging, kombu and py-amqp of that program.',
    seen: 'With management only: what the clients say of themselves when they connect.',
  },
  'QUEUE-NOT-REPLICATED': {
    severity: 'warning',
    title: 'Queues stand on one node of a cluster only',
    cause: 'They are classic queues without mirrors. When their node is down the services on them are down.',
    remedy: 'Set rabbit_quorum_queue = true in all services, and delete the old queues while they are stopped.',
    seen: 'With management only, and a tag `monitoring`: the nodes of the cluster, and the types of queues.',
  },
} as const satisfies Readonly<Record<string, CatalogueEntry>>;

export type FindingCode = keyof typeof CATALOGUE;

/** All codes, in their order. */
export const FINDING_CODES = Object.keys(CATALOGUE) as FindingCode[];

/** For `--explain`: lines of plain text. */
export function explained(code: FindingCode): string[] {
  const { severity, title, cause, remedy, seen } = CATALOGUE[code];
  return [
    `${code} (${severity}): ${title}`,
    '',
    `Cause: ${cause}`,
    '',
    `Remedy: ${remedy}`,
    '',
    `How it is found: ${seen}`,
  ];
}
