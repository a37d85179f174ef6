public import DubCore

extension DubError.Code {
    /// The worker process ended, or its connection broke, while it was needed.
    public static let workerDied = Self(name: "worker.died")
    /// The worker sent nothing for so long that it was stopped.
    public static let workerHung = Self(name: "worker.hung")
    /// The worker died so often that it is not started again.
    public static let workerBroken = Self(name: "worker.broken")
    /// The worker's Python or its folder is not on this machine.
    public static let workerNotInstalled = Self(name: "worker.not-installed")
    /// The worker speaks another version of the protocol, or an answer is not of its shape.
    public static let workerProtocol = Self(name: "worker.protocol")
    /// The worker refused a request as malformed.
    public static let workerBadRequest = Self(name: "worker.bad-request")
    /// The model does not know the language, or the pair of languages.
    public static let workerUnsupportedLanguage = Self(name: "worker.unsupported-language")
    /// The model's output failed the worker's own checks, on every attempt.
    public static let workerRejectedOutput = Self(name: "worker.rejected-output")
    /// The model is not installed.
    public static let workerModelMissing = Self(name: "worker.model-missing")
    /// The item did not fit into memory.
    public static let workerOutOfMemory = Self(name: "worker.out-of-memory")
    /// The item's audio cannot be read.
    public static let workerBadAudio = Self(name: "worker.bad-audio")
    /// The worker failed at an item for a reason of its own.
    public static let workerInternal = Self(name: "worker.internal")
    /// The address of a worker cannot be understood.
    public static let workerAddress = Self(name: "worker.address")
    /// The worker wants a token, or another one.
    public static let workerUnauthorised = Self(name: "worker.unauthorised")
    /// No worker of a pool can be reached that does what is wanted.
    public static let workerUnreachable = Self(name: "worker.unreachable")
    /// The worker takes no work now.
    public static let workerBusy = Self(name: "worker.busy")
    /// The catalogue of models cannot be read.
    public static let catalogueMalformed = Self(name: "catalogue.malformed")
}

extension WorkerFault {
    /// The fault as an error; `place` tells the task, the model and the item.
    public func error(at place: String) -> DubError {
        let (code, fix, persistence): (DubError.Code, String, DubError.Persistence) =
            switch self.code {
            case "unsupported_language":
                (.workerUnsupportedLanguage, "Choose a model that knows it: dubmill models list.", .permanent)
            case "rejected_output":
                (.workerRejectedOutput, "Edit this line by hand, or choose another model.", .permanent)
            case "model_missing":
                (.workerModelMissing, "Fetch it: dubmill models pull NAME.", .permanent)
            case "out_of_memory":
                (.workerOutOfMemory, "Run fewer jobs at once, or choose a smaller model.", .transient)
            case "bad_audio":
                (.workerBadAudio, "Check that the audio is there and is what the task asks for.", .permanent)
            case "bad_request":
                (.workerBadRequest, "Use a worker of the same version as dubmill.", .permanent)
            default:
                (.workerInternal, "Try again; if it stays, look into the worker's log.", .transient)
            }
        return DubError(code, message, at: place, fix: fix, persistence: persistence)
    }
}

extension DubError {
    static func workerProtocol(_ what: String, at place: String, cause: (any Error)? = nil) -> DubError {
        DubError(
            .workerProtocol, what, at: place, fix: "Use a worker of the same version as dubmill: make setup.",
            cause: cause)
    }
}
