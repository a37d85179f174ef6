/// Works on so many things at once, greater priorities first, then in the order in which they came.
actor WorkQueue {
    private struct Job {
        var number: Int
        var priority: Int
        var batch: String?
        let since = ContinuousClock.now
        var work: @Sendable () async -> Void
        /// Told whether it was begun, once it has ended or was forgotten.
        var end: CheckedContinuation<Bool, Never>?
    }

    /// How many things are worked on at once.
    private(set) var slots: Int
    private var waiting: [Job] = []
    private var running: [Int: (batch: String?, task: Task<Void, Never>)] = [:]
    private var next = 0
    /// Whether no more work is taken.
    private(set) var isStopped = false
    private var idle: [CheckedContinuation<Void, Never>] = []

    /// - Parameter slots: ≥ 1.
    init(slots: Int) {
        self.slots = slots
    }

    /// How many wait and run.
    var counts: (waiting: Int, running: Int) { (waiting.count, running.count) }

    /// How long the oldest that waits has waited; `nil` where none does.
    var oldest: Duration? { waiting.map(\.since).min().map { ContinuousClock.now - $0 } }

    /// Takes work on; `false` where no more is taken.
    ///
    /// - Parameter batch: what it can be cancelled by.
    @discardableResult
    func add(priority: Int, batch: String? = nil, work: @escaping @Sendable () async -> Void) -> Bool {
        guard !isStopped else { return false }
        enqueue(Job(number: next, priority: priority, batch: batch, work: work))
        return true
    }

    /// Takes work on, and returns once it has ended.
    ///
    /// - Returns: whether it was begun.
    func run(priority: Int, batch: String, work: @escaping @Sendable () async -> Void) async -> Bool {
        guard !isStopped else { return false }
        return await withCheckedContinuation {
            enqueue(Job(number: next, priority: priority, batch: batch, work: work, end: $0))
        }
    }

    /// Works on more or fewer things at once from now on.
    func resize(_ slots: Int) {
        self.slots = slots
        start()
    }

    private func enqueue(_ job: Job) {
        next += 1
        let place = waiting.firstIndex { $0.priority < job.priority } ?? waiting.endIndex
        waiting.insert(job, at: place)
        start()
    }

    /// Cancels what runs of a batch. What waits of it is begun no more: it is cancelled as it begins.
    func cancel(batch: String) {
        for job in waiting where job.batch == batch { launch(job, isCancelled: true) }
        waiting.removeAll { $0.batch == batch }
        for one in running.values where one.batch == batch { one.task.cancel() }
    }

    /// Takes no more work, and forgets what waits.
    func stop() {
        isStopped = true
        for job in waiting { job.end?.resume(returning: false) }
        waiting = []
    }

    /// Cancels what runs.
    func cancelAll() {
        for one in running.values { one.task.cancel() }
    }

    /// Returns once nothing runs and nothing waits.
    func wait() async {
        guard !(running.isEmpty && waiting.isEmpty) else { return }
        await withCheckedContinuation { idle.append($0) }
    }

    private func start() {
        while running.count < slots, !waiting.isEmpty { launch(waiting.removeFirst()) }
    }

    private func launch(_ job: Job, isCancelled: Bool = false) {
        // Unstructured: it goes on whoever asked for it, until it ends or is cancelled here.
        let task = Task {
            await job.work()
            ended(job.number)
            job.end?.resume(returning: true)
        }
        if isCancelled { task.cancel() }
        running[job.number] = (job.batch, task)
    }

    private func ended(_ number: Int) {
        running[number] = nil
        start()
        guard running.isEmpty, waiting.isEmpty else { return }
        for one in idle { one.resume() }
        idle = []
    }
}
