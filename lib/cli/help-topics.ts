/** Texts that concern all commands, by `oslo-bus help TOPIC`. */
const TOPICS = {
  'exit-codes': `How a command has ended:

  0    done, and the answer is good
  1    answered with an error; doctor: warnings; bench: --expect was missed
  2    doctor: errors
  3    doctor --format nagios: nothing could be seen
  64   wrong usage
  68   nobody there: no exchange, queue, binding or consumer
  69   the bus cannot be reached, or has an alarm
  70   a fault of oslo-bus itself: please report it
  74   a file could not be read or written
  75   timed out
  77   login or permission refused, or the bus is read-only here
  78   a configuration file, context or URL is wrong
  130  interrupted before it was done

With --json a command that fails prints {"error": {"code", "fault", "message", "exit"}}. fault says whose move it is:
caller, peer, broker or library.`,

  filters: `Globs: * stands for any text, ? for one character; the whole name has to fit. Quote them for your shell.

  oslo-bus tap --topic conductor --method 'build_*'

Values: key=text is a text, key:=JSON is JSON, key=@file is the text of a file. So id=0012 stays a text.

  oslo-bus call conductor ping id=0012 n:=12 payload:='{"a": [1]}'

Targets: conductor is the topic, conductor.host1 one server of it. A server with dots in its name needs --server.
Methods: ping has no namespace, baseapi.ping has. Names are case-sensitive.
Durations: 500ms, 5s, 2m, 1h; a bare number is seconds.`,

  firehose: `RabbitMQ can copy each message that is published or delivered to the exchange amq.rabbitmq.trace. That is the firehose.
oslo-bus tap reads it. It is the only way to see answers, who took a request, and requests that nobody took.

  rabbitmqctl trace_on -p VHOST      switch it on: for an administrator, until the broker restarts
  oslo-bus tap                       finds out whether it is on, and says so
  rabbitmqctl trace_off -p VHOST     switch it off

It costs the broker about twice the CPU per call. It shows one virtual host, and of a cluster only the node that you
are connected to. Name an --exchange and a --topic: the broker copies less then.

Without it, tap binds a queue of its own. It sees requests and notifications of the topics that you name, and no answers.`,

  secrets: `Tokens, passwords and passwords in URLs are *** in all output and in recordings. They are known by the name of their key
(auth_token, admin_pass, secret, …), by their form (Fernet tokens), and by their place in a URL. The text of an
argument under another name is shown.

  --show-secrets   shows them, on a terminal only
  --with-secrets   keeps them in the file of --record

A command line is in the history of your shell, and others see it while the command runs. These are not:

  oslo-bus context save ctl1 --transport-url -       the URL is read from stdin, and kept in a file for you alone
  oslo-bus context save ctl1 --transport-url rabbit://nova@ctl1/ --password-command 'pass show nova'
  OSLO_TRANSPORT_URL                                 is in the environment`,

  transports: `Which bus a command speaks to; the first that is given:

  --transport-url URL     rabbit://user:password@host:5672/vhost, several hosts separated by commas; rabbit+ssl:// for TLS.
                          //  at the end is the virtual host '/'. Special characters are percent-encoded: @ is %40, / is %2F
  --config-file FILE      as oslo.config reads it: transport_url, control_exchange, [oslo_messaging_rabbit]
  --context NAME          saved before, by oslo-bus context save
  OSLO_TRANSPORT_URL      a URL
  OSLO_BUS_CONTEXT        the name of a context
  the selected context    by oslo-bus context select
  rabbit://guest:guest@127.0.0.1:5672/

Each command says on stderr which it is, and why. The exchange is --exchange, or that of the file or context. nova, heat,
ironic and ceilometer set theirs in code: for files of these names it is known. Else it is openstack.`,
} as const;

/** Of `oslo-bus help`. */
export const HELP_ARGUMENT = 'topic or command';

export const TOPIC_NAMES = Object.keys(TOPICS);

/** Undefined where there is no such topic. */
export function helpTopic(name: string): string | undefined {
  return Object.hasOwn(TOPICS, name) ? TOPICS[name as keyof typeof TOPICS] : undefined;
}
