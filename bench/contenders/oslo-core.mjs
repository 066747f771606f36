// This library without Nest, all features at their defaults.

const topic = process.env.OSLO_BENCH_TOPIC;
export const target = { exchange: 'bench', topic };
export const notifications = { exchange: 'bench', topics: [`${topic}_notifications`] };

/** Calls to `hold` are answered when a cast says so. */
export function methods() {
  let waiting = [];
  return {
    echo: ({ data }) => data,
    note: () => undefined,
    hold: () => new Promise((resolve) => waiting.push(resolve)),
    held: () => waiting.length,
    release: () => {
      for (const answer of waiting) answer(null);
      waiting = [];
    },
  };
}

export function core(packageName) {
  return {
    async serve(url) {
      const { connectBroker, NotificationListener, RpcServer } = await import(`${packageName}/core`);
      const broker = await connectBroker(url);
      const executorThreadPoolSize = Number(process.env.OSLO_BENCH_SLOTS ?? 64);
      const server = new RpcServer(
        broker,
        { ...target, server: process.env.OSLO_BENCH_SERVER ?? 'host' },
        [{ methods: methods() }],
        {
          executorThreadPoolSize,
        },
      );
      await server.start();
      return {
        listen: async (count) => {
          const told = counter(count);
          const handler = told.one;
          const listener = new NotificationListener(broker, [{ ...notifications, priorities: ['info'], handler }]);
          await listener.start();
          const result = await told.all;
          await listener.close();
          return result;
        },
      };
    },

    async connect(url) {
      const { connectBroker, NotifierCore, RpcClient } = await import(`${packageName}/core`);
      const most = process.env.OSLO_BENCH_SLOTS && Number(process.env.OSLO_BENCH_SLOTS);
      const limits = most ? { maxPendingCalls: most, maxInFlightMessages: most, maxInFlightBytes: 2 ** 30 } : {};
      const broker = await connectBroker(url, limits);
      const client = new RpcClient(broker, target);
      const long = client.prepare({ timeout: 600 });
      const notifier = new NotifierCore(broker, { ...notifications, publisherId: 'bench.host' });
      return {
        call: (payload) => client.call('echo', payload),
        cast: (payload) => client.cast('note', payload),
        fanout: (payload) => client.fanout('note', payload),
        notify: (payload) => notifier.info('bench.event', payload),
        hold: (payload) => long.call('hold', payload),
        release: () => client.cast('release'),
        held: async (count) => {
          while ((await long.call('held')) < count);
        },
      };
    },
  };
}

/** Counts what is handled; resolves with the seconds from the first to the last. */
export function counter(count) {
  let seen = 0;
  let since = 0;
  let finish;
  const all = new Promise((resolve) => (finish = resolve));
  const one = () => {
    seen += 1;
    if (seen === 1) since = performance.now();
    if (seen === count) finish({ done: count, seconds: (performance.now() - since) / 1_000 });
  };
  return { one, all };
}
