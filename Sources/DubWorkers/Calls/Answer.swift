internal import DubCore
internal import Foundation

/// A typed output, and what it cost.
public struct Answer<Value: Sendable>: Sendable {
    /// What came out.
    public var value: Value
    /// What it cost the model, where the worker says.
    public var seconds: ModelSeconds?

    /// Makes an answer.
    public init(value: Value, seconds: ModelSeconds? = nil) {
        self.value = value
        self.seconds = seconds
    }
}

extension Answer: Equatable where Value: Equatable {}

/// An audio file on a disk that the worker can read.
struct AudioPath: Codable {
    var path: String
}

extension Batcher {
    /// Has one item done, in and out as values.
    ///
    /// - Throws: As `run`; `worker.protocol` for an output of another shape.
    func call<Output: Decodable & Sendable>(
        _ task: WorkerTask, model: String, options: JSONValue, item: some Encodable, cost: Double
    ) async throws -> Answer<Output> {
        let done = try await run(
            task: task, model: model, options: options, item: JSONValue(encoding: item), cost: cost)
        do {
            return Answer(value: try done.output.decoded(), seconds: done.seconds)
        } catch {
            throw DubError.workerProtocol(
                "An output of the worker has another shape than its task: \(error).",
                at: "\(task.rawValue) with \(model)", cause: error)
        }
    }
}
